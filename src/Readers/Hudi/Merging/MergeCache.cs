using System.IO.Hashing;
using System.Text;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Keeps merge outcomes of the snapshots used last; equal asks at once share one merge.</summary>
internal sealed class MergeCache
{
    private const int MaxKept = 32;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Task<MergedSlices>> _merges = new(StringComparer.Ordinal);
    private readonly LinkedList<string> _byUse = new();

    /// <summary>Names the outcome: the snapshot's committed instants decide which blocks count, its schema how they read.</summary>
    public static string KeyOf(HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices)
    {
        var hash = new XxHash128();
        Add(snapshot.Table.Root.Location);
        Add(snapshot.Id.Text);
        Add(snapshot.Timeline.Signature);
        foreach (HudiFile file in slices.SelectMany(s => s.Files))
        {
            Add(file.Path);
            Add(SliceScan.Text(file.SizeBytes));
        }

        return Convert.ToHexString(hash.GetCurrentHash());

        void Add(string text)
        {
            hash.Append(Encoding.UTF8.GetBytes(text));
            hash.Append([0]);
        }
    }

    /// <summary>Whether an outcome is kept, or on its way.</summary>
    public bool Contains(string key)
    {
        lock (_lock)
        {
            return _merges.ContainsKey(key);
        }
    }

    /// <summary>A kept outcome, or a new one; the caller disposes it.</summary>
    public async ValueTask<MergedSlices> GetAsync(string key, Func<Task<MergedSlices>> merge, CancellationToken cancellationToken)
    {
        using IDisposable? clock = StorageUse.MeasureMerging();
        while (true)
        {
            Task<MergedSlices> task;
            Task<MergedSlices>? evicted = null;
            lock (_lock)
            {
                if (!_merges.TryGetValue(key, out task!))
                {
                    _merges[key] = task = Task.Run(merge, CancellationToken.None);
                    if (_merges.Count > MaxKept)
                    {
                        string oldest = _byUse.Last!.Value;
                        _byUse.RemoveLast();
                        _merges.Remove(oldest, out evicted);
                    }
                }
                else
                {
                    _byUse.Remove(key);
                }

                _byUse.AddFirst(key);
            }

            _ = evicted?.ContinueWith(t => t.Result.DisposeAsync().AsTask(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);

            try
            {
                MergedSlices merged = await task.WaitAsync(cancellationToken);
                if (merged.TryAcquire())
                {
                    return merged;
                }
            }
            catch (Exception) when (task.IsFaulted || task.IsCanceled)
            {
                // A failure is told to those who waited for it and not kept; whoever was only cancelled along with another caller asks again.
                Forget(key, task);
                if (task.IsFaulted || cancellationToken.IsCancellationRequested)
                {
                    throw;
                }
            }

            Forget(key, task);
        }
    }

    private void Forget(string key, Task<MergedSlices> task)
    {
        lock (_lock)
        {
            if (_merges.TryGetValue(key, out Task<MergedSlices>? kept) && kept == task)
            {
                _merges.Remove(key);
                _byUse.Remove(key);
            }
        }
    }
}
