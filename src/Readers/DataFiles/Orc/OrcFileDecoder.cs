using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Parquet;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>Decodes ORC files to Parquet, for <see cref="IFileMaterializer.OpenDecodedAsync"/>.</summary>
internal static class OrcFileDecoder
{
    private const string DecoderVersion = "orc-1";

    /// <summary>Key of the decoder's output with these options; the version changes when the output does.</summary>
    internal static string DecoderKey(OrcReadOptions options) => string.Join(
        '\u0001',
        [
            DecoderVersion, options.LegacyInstants ? "legacy" : "", options.DefaultWriterZone, options.Columns is null ? "*" : string.Join('\u0002', options.Columns),
            string.Join('\u0002', options.NanosecondColumns),
        ]);

    /// <summary>A decoder with these options.</summary>
    internal static FileDecoder Create(OrcReadOptions options) => async (file, targetPath, cancellationToken) =>
    {
        long size = file.SizeBytes >= 0
            ? file.SizeBytes
            : (await file.Store.HeadAsync(file.Key, cancellationToken) ?? throw LakeException.NotFound("The file is not there", file.Key)).SizeBytes;
        OrcFile orc = await OrcFile.OpenAsync(file.Store, file.Key, size, cancellationToken);
        await ParquetFileWriter.WriteAsync(targetPath, orc.SchemaFor(options), orc.ReadAsync(options, cancellationToken), cancellationToken);
    };
}
