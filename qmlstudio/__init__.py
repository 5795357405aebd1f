"""QML Studio: explore chemical compound space with quantum-mechanics-based machine learning."""

__version__ = "0.1.0"
