"""PlatformIO's test runner without the Unity library, which it would download: see check.h."""

from platformio.test.runners.unity import UnityTestRunner


class CustomTestRunner(UnityTestRunner):
    """Reads lines of the form FILE:LINE:NAME:PASS or FAIL, and adds nothing to the build."""

    EXTRA_LIB_DEPS = None

    def configure_build_env(self, env):
        """Nothing to configure: check.h is a plain header."""
        return env
