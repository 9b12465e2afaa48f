using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>An empty folder for tables that a test lays out, and what reads them.</summary>
public abstract class OverOneFolder : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-paimon-");
    private readonly DiskCache _cache;

    protected OverOneFolder()
    {
        Engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });
        _cache = new DiskCache(new DiskCacheOptions { Directory = Path.Combine(_folder.FullName, "cache") });
        Reader = new PaimonReader(Engine, _cache);
        Store = new LocalFolderStore(_folder.FullName);
    }

    protected string Folder => _folder.FullName;

    protected EngineDatabase Engine { get; }

    protected PaimonReader Reader { get; }

    protected LocalFolderStore Store { get; }

    public async ValueTask DisposeAsync()
    {
        Reader.Dispose();
        _cache.Dispose();
        await Store.DisposeAsync();
        Engine.Dispose();
        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }
}
