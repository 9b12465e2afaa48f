using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon;

/// <summary>Files of one bucket whose key ranges overlap: their rows are merged by key.</summary>
/// <param name="Base">The run with the most rows; whatever the others do not touch passes through.</param>
/// <param name="Newer">The files of all other runs.</param>
internal sealed record MergeSection(IReadOnlyList<PaimonDataFile> Base, IReadOnlyList<PaimonDataFile> Newer);

/// <summary>What becomes of the files of one bucket.</summary>
/// <param name="Plain">Files that are read without merging; retract rows of theirs are dropped.</param>
/// <param name="Sections">Groups of files that are merged.</param>
internal sealed record MergePlan(IReadOnlyList<PaimonDataFile> Plain, IReadOnlyList<MergeSection> Sections)
{
    /// <summary>Plans one bucket.</summary>
    public static MergePlan Of(PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files)
    {
        if (files.Count == 1 || snapshot.TableSchema.Flag("pk-clustering-override") || IsRaw(snapshot, files))
        {
            return new MergePlan(files, []);
        }

        PaimonType[] types = [.. snapshot.TableSchema.TrimmedPrimaryKeys.Select(k => snapshot.TableSchema.Field(k).Type)];
        List<Ranged> ranged = [.. files.Select(f => new Ranged(f, BinaryRow.Decode(f.MinKey, types, f.Path), BinaryRow.Decode(f.MaxKey, types, f.Path)))];
        ranged.Sort((a, b) => PaimonValue.Compare(a.Min, b.Min) is var order and not 0 ? order : PaimonValue.Compare(a.Max, b.Max));

        var plain = new List<PaimonDataFile>();
        var sections = new List<MergeSection>();
        var current = new List<Ranged>();
        object?[]? largest = null;
        foreach (Ranged file in ranged)
        {
            if (largest is not null && PaimonValue.Compare(file.Min, largest) > 0)
            {
                Close(current, plain, sections);
                (current, largest) = ([], null);
            }

            current.Add(file);
            largest = largest is null || PaimonValue.Compare(file.Max, largest) > 0 ? file.Max : largest;
        }

        Close(current, plain, sections);
        return new MergePlan(plain, sections);
    }

    private static bool IsRaw(PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files) =>
        files.All(f => f.Level > 0 && f.DeleteRowCount == 0)
        && (snapshot.HasDeletionVectorsEnabled || snapshot.MergeEngine == "first-row" || files.All(f => f.Level == files[0].Level));

    private static void Close(List<Ranged> files, List<PaimonDataFile> plain, List<MergeSection> sections)
    {
        if (files.Count == 1)
        {
            plain.Add(files[0].File);
            return;
        }

        // Each file joins the run that ends first, if it ends before the file begins: as few runs as possible.
        var runs = new List<(List<PaimonDataFile> Files, object?[] Max)>();
        foreach (Ranged file in files)
        {
            int best = -1;
            for (int i = 0; i < runs.Count; i++)
            {
                if (best < 0 || PaimonValue.Compare(runs[i].Max, runs[best].Max) < 0)
                {
                    best = i;
                }
            }

            if (best >= 0 && PaimonValue.Compare(runs[best].Max, file.Min) < 0)
            {
                runs[best].Files.Add(file.File);
                runs[best] = (runs[best].Files, file.Max);
            }
            else
            {
                runs.Add(([file.File], file.Max));
            }
        }

        if (runs.Count == 1)
        {
            plain.AddRange(runs[0].Files);
            return;
        }

        List<PaimonDataFile> largest = runs.MaxBy(r => r.Files.Sum(f => f.RowCount)).Files;
        sections.Add(new MergeSection(largest, [.. runs.Where(r => r.Files != largest).SelectMany(r => r.Files)]));
    }

    private sealed record Ranged(PaimonDataFile File, object?[] Min, object?[] Max);
}
