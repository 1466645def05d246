"""The commands of ``dinhdanh``, one module per part; each names its own in ``commands``."""
