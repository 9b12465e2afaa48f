using System.Collections.Concurrent;
using LakeHolo.Accelerator.Sql;

namespace LakeHolo.Accelerator.Planning;

/// <summary>A text that was parsed before, and what it was bound to, by the names of the empty tables (which stand for schemas).</summary>
internal sealed record KnownText(IReadOnlyList<SyntaxTree.TableReference> Tables, bool UsesSession)
{
    public ConcurrentDictionary<string, StatementTemplate> Templates { get; } = new(StringComparer.Ordinal);
}

/// <summary>The last texts: dashboards ask the same again and again. Names are resolved and snapshots pinned anew each time.</summary>
internal sealed class KnownTexts
{
    private const int MaxTexts = 1_000;
    private const int MaxTemplates = 16;
    private const int MaxTextLength = 64 << 10;

    private readonly ConcurrentDictionary<string, KnownText> _texts = new(StringComparer.Ordinal);

    public KnownText? Find(string sql) => _texts.GetValueOrDefault(sql);

    public void Add(string sql, IReadOnlyList<SyntaxTree.TableReference> tables, bool usesSession, string schemas, StatementTemplate template)
    {
        if (sql.Length > MaxTextLength)
        {
            return;
        }

        if (_texts.Count >= MaxTexts)
        {
            _texts.Clear();
        }

        KnownText text = _texts.GetOrAdd(sql, _ => new KnownText(tables, usesSession));
        if (text.Templates.Count >= MaxTemplates)
        {
            text.Templates.Clear();
        }

        text.Templates[schemas] = template;
    }
}
