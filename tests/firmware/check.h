/*
 * check.h - just enough to report tests to `pio test` over the board's console: a line a test, in the
 * form that PlatformIO reads. (Its own Unity library would have to be downloaded.)
 */
#ifndef CHECK_H
#define CHECK_H

#include "board.h"

#include <stdint.h>
#include <string.h>

typedef struct {
    int failed_tests;
    int failed_checks; /* in the test at hand */
} check_t;

static void check_put(const char *text)
{
    board_write(text, strlen(text));
}

static void check_put_number(long number)
{
    char digits[24];
    size_t at = sizeof digits;
    unsigned long rest = number < 0 ? 0ul - (unsigned long)number : (unsigned long)number;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10ul);
        rest /= 10ul;
    } while (rest != 0ul);
    if (number < 0) {
        digits[--at] = '-';
    }
    check_put(digits + at);
}

static void check_report(const char *file, long line, const char *name)
{
    check_put(file);
    check_put(":");
    check_put_number(line);
    check_put(":");
    check_put(name);
}

static void check_equal(check_t *check, const char *file, long line, const char *name, long found, long expected)
{
    if (found != expected && check->failed_checks++ == 0) {
        check_report(file, line, name);
        check_put(":FAIL: found ");
        check_put_number(found);
        check_put(", expected ");
        check_put_number(expected);
        check_put("\n");
    }
}

/* In a test, `void test_NAME(check_t *check)`: compare two whole numbers. */
#define CHECK_EQUAL(found, expected) \
    check_equal(check, __FILE__, __LINE__, __func__, (long)(found), (long)(expected))

/* Run a test and report it. */
#define RUN(test) \
    do { \
        check.failed_checks = 0; \
        test(&check); \
        if (check.failed_checks == 0) { \
            check_report(__FILE__, __LINE__, #test); \
            check_put(":PASS\n"); \
        } else { \
            check.failed_tests++; \
        } \
    } while (0)

#endif /* CHECK_H */
