using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Folders;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>The table formats that this program knows; a new one is a line here.</summary>
internal static class TableFormats
{
    public static (IReadOnlyList<ITableFormat> Formats, IReadOnlyList<ITableReader> Readers) Create(
        EngineDatabase engine, IFileMaterializer files, FolderOptions folders, ExternalLocations locations)
    {
        string[] plain = ["parquet", "csv", "orc", "sequencefile"];
        var schemas = new FolderSchemaSource(engine, files, folders);
        return (
            [new DeltaTableFormat(locations), new HudiTableFormat(), new PaimonTableFormat(), .. plain.Select(f => new FolderTableFormat(f, schemas))],
            [new DeltaReader(engine, files), new HudiReader(engine, files), new PaimonReader(engine, files, locations), .. plain.Select(f => new FolderReader(engine, files, f))]);
    }
}
