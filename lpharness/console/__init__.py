"""What the kernel says on its console, recognised: patterns as data, findings out."""

from lpharness.console.classifier import Classifier, Finding, classify_text
from lpharness.console.patterns import Severity

__all__ = ["Classifier", "Finding", "Severity", "classify_text"]
