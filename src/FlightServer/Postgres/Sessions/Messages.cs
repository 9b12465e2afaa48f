using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>The server's messages.</summary>
internal static class Messages
{
    public static void Error(WireWriter writer, PgError error) => Fields(writer, 'E', error, error.IsFatal ? "FATAL" : "ERROR");

    public static void Notice(WireWriter writer, PgError notice) => Fields(writer, 'N', notice, "WARNING");

    public static void ParameterStatus(WireWriter writer, string name, string value)
    {
        writer.Begin('S');
        writer.String(name);
        writer.String(value);
        writer.End();
    }

    public static void Ready(WireWriter writer, char status)
    {
        writer.Begin('Z');
        writer.Byte((byte)status);
        writer.End();
    }

    public static void Complete(WireWriter writer, string tag)
    {
        writer.Begin('C');
        writer.String(tag);
        writer.End();
    }

    public static void Columns(WireWriter writer, IReadOnlyList<PgColumn> columns, IReadOnlyList<bool>? binary)
    {
        writer.Begin('T');
        writer.Int16((short)columns.Count);
        for (int i = 0; i < columns.Count; i++)
        {
            PgColumn column = columns[i];
            writer.String(column.Name);
            writer.Int32(column.TableOid);
            writer.Int16(column.Attribute);
            writer.Int32(column.Type.Oid);
            writer.Int16(column.Type.Length);
            writer.Int32(column.TypeModifier);
            writer.Int16(binary is not null && binary[i] ? (short)1 : (short)0);
        }

        writer.End();
    }

    public static void Parameters(WireWriter writer, IReadOnlyList<PgType> types)
    {
        writer.Begin('t');
        writer.Int16((short)types.Count);
        foreach (PgType type in types)
        {
            writer.Int32(type.Oid);
        }

        writer.End();
    }

    public static void CopyOut(WireWriter writer, int columns, bool binary)
    {
        writer.Begin('H');
        writer.Byte(binary ? (byte)1 : (byte)0);
        writer.Int16((short)columns);
        for (int i = 0; i < columns; i++)
        {
            writer.Int16(binary ? (short)1 : (short)0);
        }

        writer.End();
    }

    private static void Fields(WireWriter writer, char type, PgError error, string severity)
    {
        writer.Begin(type);
        Field(writer, 'S', severity);
        Field(writer, 'V', severity);
        Field(writer, 'C', error.SqlState);
        Field(writer, 'M', error.Message);
        if (error.Detail is not null)
        {
            Field(writer, 'D', error.Detail);
        }

        if (error.Hint is not null)
        {
            Field(writer, 'H', error.Hint);
        }

        if (error.Position > 0)
        {
            Field(writer, 'P', error.Position.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        writer.Byte(0);
        writer.End();
    }

    private static void Field(WireWriter writer, char name, string value)
    {
        writer.Byte((byte)name);
        writer.String(value);
    }
}
