/*
 * check.h - the whole unit test framework: CHECK and CHECK_EQUAL inside tests, RUN for each test, CHECK_END last.
 *
 * It prints `file:line:test:PASS` or `file:line:test:FAIL: condition` over the board's console, and a
 * summary; test_custom_runner.py reads that. The first failure of a test is the one that is shown.
 */
#ifndef CHECK_H
#define CHECK_H

#include "board.h"

#include <string.h>

static struct {
    unsigned tests;
    unsigned failures;
    unsigned line; /* where the running test has failed; 0 if it has not */
    const char *condition;
} check_state;

static void check_put_text(const char *text)
{
    board_write(text, strlen(text));
}

static void check_put_number(unsigned number)
{
    if (number >= 10u) {
        check_put_number(number / 10u);
    }
    board_write(&"0123456789"[number % 10u], 1);
}

static void check_failed(unsigned line, const char *condition)
{
    if (check_state.line == 0u) {
        check_state.line = line;
        check_state.condition = condition;
    }
}

static void check_run(void (*test)(void), const char *file, unsigned line, const char *name)
{
    check_state.line = 0u;
    test();
    check_state.tests++;
    check_state.failures += check_state.line != 0u;
    check_put_text(file);
    check_put_text(":");
    check_put_number(check_state.line != 0u ? check_state.line : line);
    check_put_text(":");
    check_put_text(name);
    if (check_state.line != 0u) {
        check_put_text(":FAIL: ");
        check_put_text(check_state.condition);
        check_put_text("\n");
    } else {
        check_put_text(":PASS\n");
    }
}

static void check_end(void)
{
    check_put_number(check_state.tests);
    check_put_text(" Tests ");
    check_put_number(check_state.failures);
    check_put_text(" Failures 0 Ignored\n");
    board_exit(check_state.failures != 0u);
}

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__LINE__, #condition))
#define CHECK_EQUAL(found, expected) CHECK((long)(found) == (long)(expected))
#define RUN(test) check_run(test, __FILE__, __LINE__, #test)
#define CHECK_END() check_end()

#endif /* CHECK_H */
