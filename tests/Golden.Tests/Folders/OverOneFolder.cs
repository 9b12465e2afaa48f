using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Folders;

/// <summary>A temporary folder, an engine that may read it, and a cache in it.</summary>
public abstract class OverOneFolder : IDisposable
{
    protected OverOneFolder()
    {
        Cache = new DiskCache(new DiskCacheOptions { Directory = Folder.File("cache") });
        Engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [Folder.Path, Path.Combine(GoldenCases.Root, "sample-lake")] });
    }

    internal TemporaryFolder Folder { get; } = new();

    internal DiskCache Cache { get; }

    internal EngineDatabase Engine { get; }

    public void Dispose()
    {
        Engine.Dispose();
        Cache.Dispose();
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }
}
