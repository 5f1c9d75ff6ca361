"""Which licences may be installed, and what is known of packages whose metadata does not say it.

Licences are SPDX identifiers. Everything that is allowed beyond permissive licences is a line here with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PERMISSIVE: Final = frozenset(
    (
        *("0BSD", "Apache-2.0", "Artistic-1.0-Perl", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
        *("CNRI-Python", "FTL", "HPND", "ISC", "libpng-2.0", "libtiff", "MIT", "MIT-0", "MIT-CMU", "NCSA", "OpenSSL"),
        *("PSF-2.0", "Unlicense", "Zlib", "LicenseRef-TOST-1.0"),
    )
)
"""Allowed in every set. TOST-1.0 is OpenUSD's licence, Apache-2.0 with another section on trademarks."""
WEAK_COPYLEFT: Final = frozenset(
    ("LGPL-2.1-or-later", "LGPL-3.0-or-later", "MPL-2.0", "GPL-3.0-or-later WITH GCC-exception-3.1")
)
"""Allowed in every set: files or libraries that stay replaceable; GCC's exception frees what uses its run time."""
ALLOWED_EXCEPTIONS: Final = frozenset(("LLVM-exception", "GCC-exception-3.1"))
"""Exceptions that only widen what a licence permits."""
ALLOWED_IN_ONE_SET: Final[dict[str, frozenset[str]]] = {"torch-cuda": frozenset(("LicenseRef-NVIDIA",))}
"""Licences by the lock file that alone may bring them: CUDA is free to use and not free software."""


@dataclass(frozen=True, kw_only=True)
class StrongCopyleft:
    """A package that contains libraries under the GPL although its own metadata does not say so."""

    licence: str
    """Licence of the package as it is distributed."""
    extras: tuple[str, ...]
    """Extras that bring it; never the base install."""
    contains: tuple[str, ...]
    """Bundled libraries, or parts linked into its modules, under that licence."""
    reason: str
    """Why it is offered all the same."""


STRONG_COPYLEFT: Final[dict[str, StrongCopyleft]] = {
    "av": StrongCopyleft(
        licence="GPL-2.0-or-later",
        extras=("video", "photos", "record"),
        contains=("libx264", "libx265"),
        reason="The only maintained binding of FFmpeg with wheels; every wheel carries x264 and x265. Films are read "
        "and written in child processes alone, and captures that are folders of pictures need none of it.",
    ),
    "pillow-heif": StrongCopyleft(
        licence="GPL-2.0-or-later",
        extras=("photos",),
        contains=("libx265",),
        reason="Reads HEIC photos of phones; wheels carry x265, which only writing needs. JPEG photos need none of it.",
    ),
    "pycolmap": StrongCopyleft(
        licence="GPL-3.0-or-later",
        extras=("photos",),
        contains=("CHOLMOD supernodal", "CGAL"),
        reason="Structure from motion; its module is linked with SuiteSparse and CGAL. Runs in a child process, for "
        "photos without poses alone.",
    ),
}
"""Packages by normalised name. The extras are optional, and the README names them."""

STATED: Final[dict[str, str]] = {
    "openexr": "BSD-3-Clause",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "scikit-image": "BSD-3-Clause AND MIT",
    "scipy": "BSD-3-Clause",
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",
    "xatlas": "MIT",
}
"""Licences read by hand from the files of packages whose metadata is missing, free text, or leaves a choice unclear."""
STATED_FOR_PREFIX: Final[dict[str, str]] = {"nvidia-": "LicenseRef-NVIDIA", "cuda-": "LicenseRef-NVIDIA"}
"""The same for families of packages, by the beginning of their names."""

WORDS: Final[dict[str, str]] = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit licence": "MIT",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the mit license (mit)": "MIT",
    "zlib/libpng license": "Zlib",
}
"""SPDX identifiers of what `License` fields and classifiers say in words, in lower case."""

LIBRARIES: Final[dict[str, str]] = {
    "aom": "BSD-2-Clause",
    "asound": "LGPL-2.1-or-later",
    "avcodec": "LGPL-3.0-or-later",
    "avdevice": "LGPL-3.0-or-later",
    "avfilter": "LGPL-3.0-or-later",
    "avformat": "LGPL-3.0-or-later",
    "avif": "BSD-2-Clause",
    "avutil": "LGPL-3.0-or-later",
    "brotlicommon": "MIT",
    "brotlidec": "MIT",
    "crypto": "OpenSSL",
    "dav1d": "BSD-2-Clause",
    "de265": "LGPL-3.0-or-later",
    "drm": "MIT",
    "freetype": "FTL",
    "gfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "gmp": "LGPL-3.0-or-later",
    "gnutls": "LGPL-2.1-or-later",
    "gomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "harfbuzz": "MIT",
    "heif": "LGPL-3.0-or-later",
    "hogweed": "LGPL-3.0-or-later",
    "jpeg": "BSD-3-Clause AND Zlib",
    "lcms2": "MIT",
    "lzma": "0BSD",
    "mp3lame": "LGPL-2.1-or-later",
    "nettle": "LGPL-3.0-or-later",
    "openblasp-r0": "BSD-3-Clause",
    "opencore-amrnb": "Apache-2.0",
    "opencore-amrwb": "Apache-2.0",
    "openjp2": "BSD-2-Clause",
    "opus": "BSD-3-Clause",
    "png16": "libpng-2.0",
    "quadmath": "LGPL-2.1-or-later",
    "scipy_openblas": "BSD-3-Clause",
    "scipy_openblas64_": "BSD-3-Clause",
    "sharpyuv": "BSD-3-Clause",
    "ssl": "OpenSSL",
    "SvtAv1Enc": "BSD-3-Clause",
    "swresample": "LGPL-3.0-or-later",
    "swscale": "LGPL-3.0-or-later",
    "tbb": "Apache-2.0",
    "tiff": "libtiff",
    "unistring": "LGPL-3.0-or-later",
    "usd_ms": "LicenseRef-TOST-1.0",
    "vpl": "MIT",
    "vpx": "BSD-3-Clause",
    "webp": "BSD-3-Clause",
    "webpdemux": "BSD-3-Clause",
    "webpmux": "BSD-3-Clause",
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
    "Xau": "MIT",
    "xcb": "MIT",
    "xcb-shape": "MIT",
    "xcb-shm": "MIT",
    "xcb-xfixes": "MIT",
    "zstd": "BSD-3-Clause",
}
"""Libraries that wheels bring in `*.libs` folders, by name without `lib`, hash and version."""
MARKS: Final[dict[bytes, str]] = {
    b"libavcodec license: GPL": "FFmpeg built with its GPL parts",
    b"x265 (": "libx265",
    b"x264 [info]": "libx264",
    b"cholmod_super_symbolic": "CHOLMOD supernodal",
    b"CGAL::": "CGAL",
    b"umfpack_di_": "UMFPACK",
    b"fftw_plan_guru": "FFTW",
    b"gsl_matrix_alloc": "GNU Scientific Library",
}
"""Byte strings of libraries under the GPL that may be linked into a module without being a file beside it."""
