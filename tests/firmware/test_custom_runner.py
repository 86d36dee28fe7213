"""Reads what check.h prints, for `pio test`. PlatformIO's default runner would download Unity."""

import click
from platformio.test.exception import UnitTestError
from platformio.test.result import TestStatus
from platformio.test.runners.unity import UnityTestRunner


class CustomTestRunner(UnityTestRunner):
    EXTRA_LIB_DEPS = None

    def configure_build_env(self, env):
        """Leave the build as it is: Unity's set-up has no place here."""
        return env

    def stage_testing(self):
        """Count a program that ends without its summary as failed: it died, or ran no test."""
        try:
            super().stage_testing()
        except UnitTestError:
            # Exit status 1 after a failed test says nothing new, and PlatformIO takes it for a signal.
            if not (self.test_suite.is_finished() and self.test_suite.get_status_nums(TestStatus.FAILED)):
                raise
        if not self.options.without_testing and not self.test_suite.is_finished():
            raise UnitTestError("the test program ended before its summary (CHECK_END)")

    def on_testing_line_output(self, line):
        """Show also what is no result, for example a fault or a missing emulator."""
        known = self.parse_test_case(line.strip()) or "Tests" in line
        if not self.options.verbose and not known and line.strip():
            click.echo(line, nl=False)
        super().on_testing_line_output(line)
