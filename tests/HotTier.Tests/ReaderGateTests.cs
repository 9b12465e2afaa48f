namespace LakeHolo.HotTier.Tests;

public sealed class ReaderGateTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly ReaderGate _gate = new();

    [Fact]
    public async Task It_closes_while_nobody_is_inside_and_whoever_comes_waits_until_it_opens()
    {
        Action leave = await _gate.EnterAsync(default);
        Task<Action> closing = _gate.CloseAsync(default).AsTask();
        leave();
        Action open = await closing.WaitAsync(Limit);
        Task<Action> entering = _gate.EnterAsync(default).AsTask();
        Assert.False(entering.IsCompleted);
        open();
        (await entering.WaitAsync(Limit))();
    }

    /// <summary>On a machine without time to spare each statement takes long to its start, and the next is there already.</summary>
    [Fact]
    public async Task It_closes_at_last_although_those_inside_take_long_and_others_press_in()
    {
        using var stop = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, 4).Select(n => Task.Run(async () =>
        {
            await Task.Delay(150 * n);
            while (!stop.IsCancellationRequested)
            {
                Action leave = await _gate.EnterAsync(default);
                await Task.Delay(600);
                leave();
            }
        }))];
        await Task.Delay(600);
        Action open = await _gate.CloseAsync(default).AsTask().WaitAsync(TimeSpan.FromSeconds(15));
        await stop.CancelAsync();
        open();
        await Task.WhenAll(readers).WaitAsync(Limit);
    }

    [Fact]
    public async Task One_that_stands_inside_one_gate_and_waits_for_another_does_not_block_who_closes_both()
    {
        var other = new ReaderGate();
        Action leave = await _gate.EnterAsync(default);
        Action openOther = await other.CloseAsync(default);
        Task<Action> closing = _gate.CloseAsync(default).AsTask();
        Task<Action> entering = other.EnterAsync(default).AsTask();
        Assert.False(entering.IsCompleted);
        openOther();
        (await entering.WaitAsync(Limit))();
        leave();
        (await closing.WaitAsync(Limit))();
    }

    [Fact]
    public async Task A_cancelled_wait_leaves_it_open()
    {
        Action leave = await _gate.EnterAsync(default);
        using var cancel = new CancellationTokenSource();
        Task<Action> closing = _gate.CloseAsync(cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => closing.WaitAsync(Limit));
        (await _gate.EnterAsync(default).AsTask().WaitAsync(Limit))();
        leave();
        (await _gate.CloseAsync(default).AsTask().WaitAsync(Limit))();
    }
}
