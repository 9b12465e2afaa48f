using LakeHolo.LakeCatalog.Avro;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Parquet;

namespace LakeHolo.Readers.DataFiles.Avro;

/// <summary>Decodes Avro container files to Parquet, for <see cref="IFileMaterializer.OpenDecodedAsync"/>.</summary>
internal static class AvroFileDecoder
{
    /// <summary>Key of the decoder's output; change it when the output changes.</summary>
    internal const string DecoderKey = "avro-1";

    /// <summary>A decoder of the given top-level columns, or of all.</summary>
    internal static FileDecoder Create(IReadOnlyCollection<string>? columns = null) => async (file, targetPath, cancellationToken) =>
    {
        byte[] bytes = await file.Store.ReadAsync(file.Key, cancellationToken: cancellationToken);
        AvroContainer container = AvroContainer.Open(bytes, file.Key);
        var reader = new AvroArrowReader(container.Schema, file.Key, columns);
        ParquetFileWriter.Write(targetPath, reader.Schema, AvroArrowReader.ReadContainer(container, columns), cancellationToken);
    };
}
