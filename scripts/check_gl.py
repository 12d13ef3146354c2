"""Exit 0 if a headless OpenGL context can be made (Linux, EGL), else print what is missing and exit 1.

Standard library only: it runs before anything is installed. It takes the way that ModernGL takes
(first EGL device, eglInitialize), so a missing rendering driver is found too, not only a missing library.
"""

from __future__ import annotations

import ctypes
import sys

EGL_PLATFORM_DEVICE_EXT = 0x313F


def missing() -> str:
    """What stands between this machine and an EGL context; empty if nothing does."""
    for library in ("libGL.so.1", "libEGL.so.1"):
        try:
            ctypes.CDLL(library)
        except OSError:
            return library
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not (query_address and display_address):
        return "an EGL with device enumeration"
    query = ctypes.CFUNCTYPE(
        ctypes.c_uint, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_int)
    )(query_address)
    get_display = ctypes.CFUNCTYPE(
        ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)
    )(display_address)
    devices = (ctypes.c_void_p * 8)()
    count = ctypes.c_int()
    if not query(len(devices), devices, ctypes.byref(count)) or count.value == 0:
        return "an EGL device (rendering driver)"
    display = get_display(EGL_PLATFORM_DEVICE_EXT, devices[0], None)
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    egl.eglTerminate.argtypes = [ctypes.c_void_p]
    if not display or not egl.eglInitialize(display, None, None):
        return "a rendering driver for EGL"
    egl.eglTerminate(display)
    return ""


if __name__ == "__main__":
    lack = missing()
    if lack:
        print(lack)
    sys.exit(1 if lack else 0)
