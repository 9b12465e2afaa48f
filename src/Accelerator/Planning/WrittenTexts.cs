namespace LakeHolo.Accelerator.Planning;

/// <summary>The texts for the engine that a statement over whole hot copies had last: they are the same as long as the copies' columns and generations are.</summary>
internal sealed class WrittenTexts
{
    private volatile Written? _last;
    private volatile Written? _before;

    /// <summary>The text of a template over these scans; null if it is not one of the last two (a lookup has two templates).</summary>
    public string? Find(string template, IReadOnlyList<PlannedScan?> scans) => _last is { } last && last.Is(template, scans) ? last.Sql
        : _before is { } before && before.Is(template, scans) ? before.Sql
        : null;

    /// <summary>Keeps a text.</summary>
    public void Keep(string template, IReadOnlyList<PlannedScan?> scans, string sql)
    {
        if (Find(template, scans) is null)
        {
            _before = _last;
            _last = new Written(template, [.. scans.Select(s => (s!.Scan.Sql, s.Request.Columns))], sql);
        }
    }

    private sealed record Written(string Template, (string Sql, IReadOnlyList<string>? Columns)[] Scans, string Sql)
    {
        public bool Is(string template, IReadOnlyList<PlannedScan?> scans)
        {
            if (!ReferenceEquals(template, Template) || scans.Count != Scans.Length)
            {
                return false;
            }

            for (int i = 0; i < Scans.Length; i++)
            {
                if (scans[i] is not { } scan || scan.Scan.Sql != Scans[i].Sql || !ReferenceEquals(scan.Request.Columns, Scans[i].Columns))
                {
                    return false;
                }
            }

            return true;
        }
    }
}
