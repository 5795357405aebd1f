"""Published data sets: what they hold (entries), where they are kept (storage), how they are fetched (download).

Nothing here reaches the network unless :func:`storage.get` or :func:`download.download` is called.
"""
