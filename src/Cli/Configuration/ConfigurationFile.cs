using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog.Folders;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace LakeHolo.Cli.Configuration;

/// <summary>Reads lakeholo.yaml into a configuration, noting faults with their line.</summary>
internal sealed partial class ConfigurationFile(string path, LakeConfiguration configuration, List<string> faults)
{
    private static readonly string[] Lists = ["sources", "users", "roles", "issuers", "layers", "folder_columns"];

    public void Read()
    {
        YamlMappingNode? root;
        try
        {
            var stream = new YamlStream();
            using var reader = new StreamReader(path);
            stream.Load(reader);
            if (stream.Documents.Count == 0)
            {
                return;
            }

            root = stream.Documents[0].RootNode as YamlMappingNode;
        }
        catch (YamlException e)
        {
            faults.Add($"{path}:{e.Start.Line}: {e.Message}");
            return;
        }
        catch (IOException e)
        {
            faults.Add($"{path}: {e.Message}");
            return;
        }

        if (root is null)
        {
            faults.Add($"{path}: expected a mapping of settings");
            return;
        }

        foreach ((YamlNode key, YamlNode value) in root.Children)
        {
            Entry(Text(key), key, value);
        }
    }

    private void Entry(string key, YamlNode at, YamlNode value)
    {
        switch (key)
        {
            case "sources":
                Each(value, "name", ["name", "location", "sync_interval", "sync_cron"], Source);
                break;
            case "users":
                Each(value, "name", ["name", "password_hash", "token_hash", "token_expires", "roles", "limits"], (m, n) => configuration.Users.Add(User(m, n)));
                break;
            case "roles":
                Each(value, "name", ["name", "admin", "tables", "limits"], (m, n) => configuration.Roles.Add(Role(m, n)));
                break;
            case "issuers":
                Each(value, "issuer", ["issuer", "audience", "jwks", "algorithms", "user_claim", "roles_claim", "role_names"], (m, n) => configuration.Issuers.Add(Issuer(m, n)));
                break;
            case "layers":
                Each(value, "schema", ["schema", "layer"], (m, n) => configuration.Layers.Add(new LayerRule(Required(m, "schema", n), Required(m, "layer", n))));
                break;
            case "folder_columns" when value is YamlMappingNode columns:
                foreach ((YamlNode table, YamlNode text) in columns.Children)
                {
                    configuration.FolderColumns[Text(table)] = Text(text);
                    Columns(text, $"folder_columns.{Text(table)}");
                }

                break;
            default:
                Scalar(key, at, value);
                break;
        }
    }

    private void Columns(YamlNode text, string key)
    {
        try
        {
            FolderOptions.ParseColumns(Text(text));
        }
        catch (ArgumentException e)
        {
            faults.Add($"{Where(text)}: {key}: {e.Message}");
        }
    }

    private void Scalar(string key, YamlNode at, YamlNode value)
    {
        if (value is YamlMappingNode mapping && Setting.All.Any(s => s.Key.StartsWith(key + ".", StringComparison.Ordinal)))
        {
            foreach ((YamlNode child, YamlNode inner) in mapping.Children)
            {
                Scalar($"{key}.{Text(child)}", child, inner);
            }
        }
        else if (Setting.All.FirstOrDefault(s => s.Key == key) is not { } setting)
        {
            faults.Add($"{Where(at)}: there is no setting {key}{LakeConfiguration.Nearest(key, [.. Setting.All.Select(s => s.Key), .. Lists])}");
        }
        else if (value is YamlScalarNode scalar)
        {
            configuration.Set(setting, scalar.Value ?? string.Empty, $"{Where(value)}: {key}", faults);
        }
        else
        {
            faults.Add($"{Where(value)}: {key}: expected a single value");
        }
    }

    private void Each(YamlNode value, string nameKey, string[] known, Action<YamlMappingNode, YamlNode> read)
    {
        if (value is not YamlSequenceNode sequence)
        {
            faults.Add($"{Where(value)}: expected a list of entries with {string.Join(", ", known)}");
            return;
        }

        foreach (YamlNode node in sequence.Children)
        {
            if (node is not YamlMappingNode mapping)
            {
                faults.Add($"{Where(node)}: expected an entry with {nameKey}: …");
                continue;
            }

            foreach (YamlNode key in mapping.Children.Keys.Where(k => !known.Contains(Text(k))))
            {
                faults.Add($"{Where(key)}: there is no key {Text(key)} here{LakeConfiguration.Nearest(Text(key), known)}");
            }

            read(mapping, node);
        }
    }

    private void Source(YamlMappingNode mapping, YamlNode node)
    {
        TimeSpan? interval = null;
        if (Optional(mapping, "sync_interval") is { } text)
        {
            interval = SessionOptions.TryDuration(text, out TimeSpan span) ? span : null;
            if (interval is null)
            {
                faults.Add($"{Where(node)}: sync_interval: expected a duration such as 10s, not '{text}'");
            }
        }

        string? cron = Optional(mapping, "sync_cron");
        try
        {
            cron = cron is null ? null : Setting.Cron(cron);
        }
        catch (FormatException e)
        {
            faults.Add($"{Where(node)}: sync_cron: {e.Message}, not '{cron}'");
        }

        configuration.Sources.Add(new SourceConfiguration(Required(mapping, "name", node), Required(mapping, "location", node), interval, cron));
    }

    private static IReadOnlyList<string> Names(YamlMappingNode mapping, string key) => mapping.Children.FirstOrDefault(c => Text(c.Key) == key).Value switch
    {
        YamlSequenceNode list => [.. list.Children.Select(Text)],
        YamlScalarNode { Value: { Length: > 0 } text } => [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)],
        _ => [],
    };

    private string Required(YamlMappingNode mapping, string key, YamlNode node)
    {
        if (Optional(mapping, key) is { Length: > 0 } text)
        {
            return text;
        }

        faults.Add($"{Where(node)}: {key} is missing");
        return string.Empty;
    }

    private static string? Optional(YamlMappingNode mapping, string key) =>
        mapping.Children.FirstOrDefault(c => Text(c.Key) == key).Value is YamlScalarNode scalar ? scalar.Value : null;

    private static string Text(YamlNode node) => node is YamlScalarNode scalar ? scalar.Value ?? string.Empty : node.ToString();

    private string Where(YamlNode node) => $"{path}:{node.Start.Line}";
}
