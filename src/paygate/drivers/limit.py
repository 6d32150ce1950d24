"""A token bucket, as arithmetic: it is told the time and says how long to wait."""

from __future__ import annotations

import threading

__all__ = ["TokenBucket"]


class TokenBucket:
    """Paces requests to one origin. Thread-safe; never waits itself.

    >>> bucket = TokenBucket(rate=2.0)
    >>> [bucket.reserve(100.0) for _ in range(3)]
    [0.0, 0.5, 1.0]
    """

    def __init__(self, rate: float, burst: int = 1) -> None:
        """Let *rate* requests pass per second, and *burst* at once after an idle time."""
        self._interval = 1 / rate
        self._slack = (burst - 1) * self._interval
        self._due = float("-inf")  # when the next token would be due if requests came one by one
        self._seen = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, now: float, patience: float | None = None) -> float | None:
        """Take one token.

        :param now: monotonic seconds.
        :param patience: the longest wait that makes sense, in seconds; None: any.
        :returns: seconds to wait before the request may be sent, 0.0 for none; None: longer than *patience*, and no
            token was taken.
        """
        with self._lock:
            # Threads may come a little out of order. A larger step back is another time line: frozen time has been
            # thawed, and what was reserved on it means nothing here.
            if now < self._seen - 1:
                self._due = now
            self._seen = now
            self._due = max(self._due, now - self._slack)
            wait = max(self._due - now, 0.0)
            if patience is not None and wait >= patience:
                return None
            self._due += self._interval
            return wait
