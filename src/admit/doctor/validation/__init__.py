"""What the API server refuses of a webhook configuration, without one."""

from __future__ import annotations

from admit.doctor.validation.configuration import (
    REVIEW_VERSIONS,
    STATIC_SUFFIX,
    validate_configuration,
)
from admit.doctor.validation.fields import FieldError, Path, show_path
from admit.doctor.validation.shape import Decoded, decode_configuration

__all__ = (
    "REVIEW_VERSIONS",
    "STATIC_SUFFIX",
    "Decoded",
    "FieldError",
    "Path",
    "decode_configuration",
    "show_path",
    "validate_configuration",
)
