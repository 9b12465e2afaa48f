using LakeHolo.FlightServer.Logins;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.FlightServer.Tests.Logins;

public sealed class LoginThrottleTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch);

    [Fact]
    public async Task Failures_slow_down_the_user_from_that_address_and_nobody_else()
    {
        var throttle = new LoginThrottle(_time);
        for (int i = 0; i < 5; i++)
        {
            Assert.True(IsFree(throttle, "ana", "1"));
            throttle.Failed("ana", "1");
        }

        Task waits = throttle.EnterAsync("ana", "1", default).AsTask();
        Assert.False(waits.IsCompleted);
        Assert.True(IsFree(throttle, "ana", "2"));
        Assert.True(IsFree(throttle, "bob", "1"));
        _time.Advance(TimeSpan.FromMilliseconds(250));
        await waits;
        throttle.Succeeded("ana", "1");
        Assert.True(IsFree(throttle, "ana", "1"));
    }

    [Fact]
    public async Task The_delay_is_bounded_and_attempts_that_would_queue_up_are_refused_unheard()
    {
        var throttle = new LoginThrottle(_time);
        for (int i = 0; i < 1000; i++)
        {
            throttle.Failed("ana", "1");
        }

        Task first = throttle.EnterAsync("ana", "1", default).AsTask();
        Task second = throttle.EnterAsync("ana", "1", default).AsTask();
        await Assert.ThrowsAsync<LoginRefused>(async () => await throttle.EnterAsync("ana", "1", default));
        _time.Advance(TimeSpan.FromSeconds(5));
        await first;
        Assert.False(second.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(5));
        await second;
        _time.Advance(TimeSpan.FromMinutes(16));
        Assert.True(IsFree(throttle, "ana", "1"));
    }

    [Fact]
    public void Who_tries_one_password_with_many_names_is_slowed_down_too_and_memory_is_bounded()
    {
        var throttle = new LoginThrottle(_time);
        for (int i = 0; i < 50; i++)
        {
            throttle.Failed($"user{i}", "1");
        }

        Assert.False(IsFree(throttle, "another", "1"));
        for (int i = 0; i < 30_000; i++)
        {
            throttle.Failed($"user{i}", $"{i % 7}");
        }

        Assert.InRange(throttle.Count, 1, 10_001);
    }

    [Fact]
    public void A_name_of_megabytes_is_not_remembered_whole()
    {
        var throttle = new LoginThrottle(_time);
        string name = new('x', 1 << 20);
        for (int i = 0; i < 5; i++)
        {
            throttle.Failed(name + i, "1");
        }

        Assert.False(IsFree(throttle, name, "1"));
        Assert.Equal(2, throttle.Count);
    }

    private static bool IsFree(LoginThrottle throttle, string user, string address) => throttle.EnterAsync(user, address, default).AsTask().IsCompletedSuccessfully;
}
