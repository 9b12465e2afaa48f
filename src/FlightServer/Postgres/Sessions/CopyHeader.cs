using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>The line of column names of COPY … HEADER.</summary>
internal static class CopyHeader
{
    public static void Write(WireWriter writer, CopyOptions options, IReadOnlyList<PgColumn> columns)
    {
        if (options.Format == "csv")
        {
            new CopyCsv(options, columns).WriteHeader(writer, columns);
            return;
        }

        writer.Begin('d');
        for (int i = 0; i < columns.Count; i++)
        {
            if (i > 0)
            {
                writer.Byte((byte)options.Delimiter);
            }

            writer.Text(columns[i].Name);
        }

        writer.Byte((byte)'\n');
        writer.End();
    }
}
