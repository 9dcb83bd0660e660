"""How near the estimate of tokens comes to real tokenizers: ``python -m tests.tokens`` prints the page.

The samples and their true counts are in tests/wire/tokens; ``scripts/token_counts.py`` counts them.
"""
