namespace LakeHolo.Bench.Harness;

/// <summary>A question that is answered by measuring.</summary>
internal interface ISuite
{
    /// <summary>Its name on the command line.</summary>
    string Name { get; }

    /// <summary>What is compared with what, in a sentence.</summary>
    string Measures { get; }

    /// <summary>Makes its data, measures, and adds its rows.</summary>
    Task RunAsync(BenchContext bench);
}
