"""What holds at the public entries: arguments are what they are said to be, and arithmetic is float32."""

from kerckhoffs.checks.arguments import FileRefused, check_choice, check_images, check_labels, plain
from kerckhoffs.checks.arithmetic import in_float32

__all__ = ["FileRefused", "check_choice", "check_images", "check_labels", "in_float32", "plain"]
