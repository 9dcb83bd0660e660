"""``python -m tests.bench`` (``make bench``): what a request and a streamed chunk cost the gateway, on this machine.

Four programs on loopback: a fake upstream that speaks Messages and Chat Completions (``upstream``), a load generator
(``load``), the gateway as a user starts it, and nginx as the practical limit where it is installed. The target runs on
one core, all else on another. CPU time comes from /proc of the target, over a counted number of requests, so it hardly
depends on the harness. ``--pairs`` needs none of that: what one chunk costs between each two dialects, in one process.
Nothing here fails because it is slow: figures are for reading.
"""
