namespace LakeHolo.Bench.Flight;

/// <summary>The end of this process's input, by which it is told to end.</summary>
internal static class InputEnd
{
    /// <summary>Waits for it on a thread of its own: the console reads while its caller waits, and the pool has as few threads as there are processors.</summary>
    public static Task WaitAsync() => Task.Factory.StartNew(() => Console.In.ReadToEnd(), TaskCreationOptions.LongRunning);
}
