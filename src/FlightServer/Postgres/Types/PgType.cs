using System.Collections.Frozen;

namespace LakeHolo.FlightServer.Postgres.Types;

/// <summary>A type as the protocol knows it: object id, its array's, length (−1 for varying), name.</summary>
internal sealed record PgType(int Oid, int ArrayOid, short Length, string Name)
{
    public static readonly PgType Bool = new(16, 1000, 1, "bool");
    public static readonly PgType Bytea = new(17, 1001, -1, "bytea");
    public static readonly PgType Char = new(18, 1002, 1, "char");
    public static readonly PgType ObjectName = new(19, 1003, 64, "name");
    public static readonly PgType Int8 = new(20, 1016, 8, "int8");
    public static readonly PgType Int2 = new(21, 1005, 2, "int2");
    public static readonly PgType Int2Vector = new(22, 1006, -1, "int2vector");
    public static readonly PgType Int4 = new(23, 1007, 4, "int4");
    public static readonly PgType RegProc = new(24, 1008, 4, "regproc");
    public static readonly PgType Text = new(25, 1009, -1, "text");
    public static readonly PgType ObjectId = new(26, 1028, 4, "oid");
    public static readonly PgType OidVector = new(30, 1013, -1, "oidvector");
    public static readonly PgType Json = new(114, 199, -1, "json");
    public static readonly PgType Xid = new(28, 1011, 4, "xid");
    public static readonly PgType Float4 = new(700, 1021, 4, "float4");
    public static readonly PgType Float8 = new(701, 1022, 8, "float8");
    public static readonly PgType Unknown = new(705, 0, -2, "unknown");
    public static readonly PgType BpChar = new(1042, 1014, -1, "bpchar");
    public static readonly PgType VarChar = new(1043, 1015, -1, "varchar");
    public static readonly PgType Date = new(1082, 1182, 4, "date");
    public static readonly PgType Time = new(1083, 1183, 8, "time");
    public static readonly PgType Timestamp = new(1114, 1115, 8, "timestamp");
    public static readonly PgType TimestampTz = new(1184, 1185, 8, "timestamptz");
    public static readonly PgType Interval = new(1186, 1187, 16, "interval");
    public static readonly PgType Numeric = new(1700, 1231, -1, "numeric");
    public static readonly PgType RegClass = new(2205, 2210, 4, "regclass");
    public static readonly PgType RegType = new(2206, 2211, 4, "regtype");
    public static readonly PgType Record = new(2249, 2287, -1, "record");
    public static readonly PgType Void = new(2278, 0, 4, "void");
    public static readonly PgType Uuid = new(2950, 2951, 16, "uuid");
    public static readonly PgType Jsonb = new(3802, 3807, -1, "jsonb");
    public static readonly PgType AclItem = new(1033, 1034, 12, "aclitem");
    public static readonly PgType NodeTree = new(194, 0, -1, "pg_node_tree");

    private static readonly PgType[] All =
    [
        Bool, Bytea, Char, ObjectName, Int8, Int2, Int2Vector, Int4, RegProc, Text, ObjectId, OidVector, Json, Xid, Float4, Float8, Unknown, BpChar, VarChar, Date, Time,
        Timestamp, TimestampTz, Interval, Numeric, RegClass, RegType, Record, Void, Uuid, Jsonb, AclItem, NodeTree,
    ];

    private static readonly FrozenDictionary<int, PgType> ByOid = All.ToFrozenDictionary(t => t.Oid);

    private static readonly FrozenDictionary<int, PgType> ByArrayOid = All.Where(t => t.ArrayOid != 0).ToFrozenDictionary(t => t.ArrayOid);

    private static readonly FrozenDictionary<string, PgType> ByName = All
        .Select(t => (Name: t.Name, Type: t))
        .Concat(new (string Name, PgType Type)[]
        {
            ("boolean", Bool), ("smallint", Int2), ("integer", Int4), ("int", Int4), ("bigint", Int8), ("real", Float4), ("double precision", Float8), ("decimal", Numeric),
            ("character varying", VarChar), ("character", BpChar), ("timestamp without time zone", Timestamp), ("timestamp with time zone", TimestampTz), ("\"char\"", Char),
            ("time without time zone", Time), ("string", Text), ("regnamespace", ObjectId), ("regoper", ObjectId), ("regrole", ObjectId),
        })
        .ToFrozenDictionary(t => t.Name, t => t.Type, StringComparer.OrdinalIgnoreCase);

    /// <summary>Of an element type: the type of its arrays.</summary>
    public PgType Array => new(ArrayOid, 0, -1, "_" + Name) { Element = this };

    /// <summary>Of an array: its elements' type.</summary>
    public PgType? Element { get; private init; }

    public static PgType? Find(int oid) => ByOid.TryGetValue(oid, out PgType? type) ? type : ByArrayOid.TryGetValue(oid, out PgType? element) ? element.Array : null;

    /// <summary>By a name of PostgreSQL; <c>x[]</c> and <c>_x</c> are arrays.</summary>
    public static PgType? Find(string name)
    {
        string text = name.Trim();
        if (text.EndsWith("[]", StringComparison.Ordinal))
        {
            return Find(text[..^2])?.Array;
        }

        return ByName.TryGetValue(text, out PgType? type) ? type : text.StartsWith('_') ? Find(text[1..])?.Array : null;
    }
}

/// <summary>A column of a result.</summary>
internal sealed record PgColumn(string Name, PgType Type, int TypeModifier = -1)
{
    public int TableOid { get; init; }

    public short Attribute { get; init; }
}
