using System.Runtime.InteropServices;
using Apache.Arrow;
using Apache.Arrow.C;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Execution;

/// <summary>The columns of a result, as the engine gives them in Arrow.</summary>
internal static unsafe class EngineSchema
{
    /// <exception cref="EngineException">The engine's message.</exception>
    public static Schema Of(ref DuckDBResult result, DuckDBArrowOptions options)
    {
        int count = checked((int)NativeMethods.Query.DuckDBColumnCount(ref result));
        var types = new DuckDBLogicalType[count];
        var handles = new IntPtr[count];
        var names = new IntPtr[count];
        CArrowSchema* schema = CArrowSchema.Create();
        try
        {
            for (int i = 0; i < count; i++)
            {
                types[i] = NativeMethods.Query.DuckDBColumnLogicalType(ref result, i);
                handles[i] = types[i].DangerousGetHandle();
                names[i] = Marshal.StringToCoTaskMemUTF8(NativeMethods.Query.DuckDBColumnName(ref result, i));
            }

            fixed (IntPtr* firstType = handles)
            fixed (IntPtr* firstName = names)
            {
                using DuckDBErrorData error = NativeMethods.Arrow.DuckDBToArrowSchema(options, (IntPtr)firstType, (IntPtr)firstName, (ulong)count, (IntPtr)schema);
                return error.HasError ? throw new EngineException(error.Message ?? "the columns cannot be given as Arrow") : CArrowSchemaImporter.ImportSchema(schema);
            }
        }
        finally
        {
            CArrowSchema.Free(schema);
            for (int i = 0; i < count; i++)
            {
                Marshal.FreeCoTaskMem(names[i]);
                types[i]?.Dispose();
            }
        }
    }
}
