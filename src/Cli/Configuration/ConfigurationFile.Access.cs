using System.Globalization;
using LakeHolo.Accelerator.Access;
using LakeHolo.FlightServer;
using YamlDotNet.RepresentationModel;

namespace LakeHolo.Cli.Configuration;

/// <summary>Users, roles, and whose tokens log in.</summary>
internal sealed partial class ConfigurationFile
{
    private static readonly string[] LimitNames = ["concurrent_statements", "memory", "rows", "bytes", "time"];

    private UserConfiguration User(YamlMappingNode mapping, YamlNode node)
    {
        DateTimeOffset? expires = null;
        if (Optional(mapping, "token_expires") is { } text)
        {
            expires = DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at) ? at : null;
            if (expires is null)
            {
                faults.Add($"{Where(node)}: token_expires: expected a day or an instant such as 2027-01-31, not '{text}'");
            }
        }

        return new UserConfiguration(Required(mapping, "name", node), Optional(mapping, "password_hash") ?? string.Empty)
        {
            Roles = Names(mapping, "roles"),
            TokenHash = Optional(mapping, "token_hash"),
            TokenExpires = expires,
            Limits = Limits(mapping),
        };
    }

    private TokenIssuer Issuer(YamlMappingNode mapping, YamlNode node)
    {
        YamlNode? names = mapping.Children.FirstOrDefault(c => Text(c.Key) == "role_names").Value;
        if (names is not (null or YamlMappingNode))
        {
            faults.Add($"{Where(names)}: role_names: expected what the claim says: role");
        }

        IReadOnlyList<string> algorithms = Names(mapping, "algorithms");
        return new TokenIssuer
        {
            Issuer = Required(mapping, "issuer", node),
            Audiences = Names(mapping, "audience"),
            KeySet = Required(mapping, "jwks", node),
            Algorithms = algorithms.Count == 0 ? TokenIssuer.KnownAlgorithms : algorithms,
            UserClaim = Optional(mapping, "user_claim") ?? "sub",
            RolesClaim = Optional(mapping, "roles_claim"),
            RoleNames = (names as YamlMappingNode ?? new YamlMappingNode()).Children.ToDictionary(c => Text(c.Key), c => Text(c.Value)),
        };
    }

    private UserLimits? Limits(YamlMappingNode mapping)
    {
        YamlNode? given = mapping.Children.FirstOrDefault(c => Text(c.Key) == "limits").Value;
        if (given is not YamlMappingNode limits)
        {
            if (given is not null)
            {
                faults.Add($"{Where(given)}: limits: expected {string.Join(", ", LimitNames)}");
            }

            return null;
        }

        foreach (YamlNode key in limits.Children.Keys.Where(k => !LimitNames.Contains(Text(k))))
        {
            faults.Add($"{Where(key)}: there is no limit {Text(key)}{LakeConfiguration.Nearest(Text(key), LimitNames)}");
        }

        return new UserLimits
        {
            ConcurrentStatements = Limit(limits, "concurrent_statements", t => Setting.Number(t, 1, 10_000)),
            MemoryBytes = Limit(limits, "memory", Setting.Bytes),
            Rows = Limit(limits, "rows", t => long.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out long rows) ? rows : throw new FormatException("expected a number of rows")),
            Bytes = Limit(limits, "bytes", Setting.Bytes),
            Time = Limit(limits, "time", t => Setting.Duration(t) is var time && time > TimeSpan.Zero ? time : throw new FormatException("expected a duration such as 30s")),
        };
    }

    private T? Limit<T>(YamlMappingNode limits, string name, Func<string, T> read)
        where T : struct
    {
        if (Optional(limits, name) is not { } text)
        {
            return null;
        }

        try
        {
            return read(text);
        }
        catch (FormatException e)
        {
            faults.Add($"{Where(limits)}: {name}: {e.Message}, not '{text}'");
            return null;
        }
    }

    private AccessRole Role(YamlMappingNode mapping, YamlNode node)
    {
        string name = Required(mapping, "name", node);
        var grants = new List<TableGrant>();
        if (mapping.Children.FirstOrDefault(c => Text(c.Key) == "tables").Value is { } tables)
        {
            Each(tables, "name", ["name", "layer", "filter", "masks"], (m, n) =>
            {
                var masks = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
                YamlNode? given = m.Children.FirstOrDefault(c => Text(c.Key) == "masks").Value;
                if (given is not (null or YamlMappingNode))
                {
                    faults.Add($"{Where(given)}: masks: expected column: expression");
                }

                foreach ((YamlNode column, YamlNode expression) in (given as YamlMappingNode ?? new YamlMappingNode()).Children)
                {
                    masks[Text(column)] = Text(expression);
                }

                string? table = Optional(m, "name");
                string? layer = Optional(m, "layer");
                if (table is null == layer is null)
                {
                    faults.Add($"{Where(n)}: either name (a glob of schema.table) or layer is expected");
                }

                grants.Add(new TableGrant($"{Where(n)}: roles, {name}, {table ?? layer}") { Tables = table, Layer = layer, Filter = Optional(m, "filter"), Masks = masks });
            });
        }

        string admin = Optional(mapping, "admin") ?? "false";
        if (admin is not ("true" or "false"))
        {
            faults.Add($"{Where(node)}: admin: expected true or false, not '{admin}'");
        }

        return new AccessRole(name) { IsAdmin = admin == "true", Grants = grants, Limits = Limits(mapping) ?? UserLimits.None };
    }
}
