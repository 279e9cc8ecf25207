import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WakeTimer } from '../../../src/services/gates/wake-timer.ts';

describe('a wake timer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('wakes at the earliest moment it was set to', () => {
    const wake = vi.fn();
    const timer = new WakeTimer(wake);
    timer.set(5_000, 0);
    timer.set(100, 0);
    timer.set(9_000, 0);
    vi.advanceTimersByTime(99);
    expect(wake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(wake).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(10_000);
    expect(wake).toHaveBeenCalledTimes(1);
  });

  it('does not end a wait of more than 24 days at once', () => {
    const wake = vi.fn();
    new WakeTimer(wake).set(6e10, 0);
    vi.advanceTimersByTime(60_000);
    expect(wake).not.toHaveBeenCalled();
  });
});
