"""What every dialect must do, whatever it is: a dialect that ``discover()`` finds is under these tests.

It brings a folder ``tests/wire/<name>`` with ``answers``, ``failures``, ``requests`` (one of them ``plain.json``, a
small streamed request that asks for usage) and ``sources.toml``, which says where each sample's shape comes from.
Where no client speaks it, its requests are those that it writes itself.
"""
