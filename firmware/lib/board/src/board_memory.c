/*
 * board_memory.c - the functions on memory that every C compiler may call by itself, and strlen: a bare
 * Cortex-M is linked without a C library, so that tool chains with any, or with none, give the same firmware.
 */
#include "board.h"

#if defined(BOARD_PORT_SEMIHOSTING)

/* Without this the compiler would see what such a loop does, and make it a call of the function it is in. */
#define STAYS_A_LOOP() __asm__ volatile("" ::: "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *left, const void *right, size_t count);
size_t strlen(const char *text);

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    if (target <= source) {
        for (size_t i = 0; i < count; i++) {
            target[i] = source[i];
            STAYS_A_LOOP();
        }
    } else {
        while (count-- > 0u) {
            target[count] = source[count];
            STAYS_A_LOOP();
        }
    }
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    return memmove(to, from, count);
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *target = to;
    for (size_t i = 0; i < count; i++) {
        target[i] = (uint8_t)value;
        STAYS_A_LOOP();
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t count)
{
    const uint8_t *one = left;
    const uint8_t *other = right;
    for (size_t i = 0; i < count; i++) {
        if (one[i] != other[i]) {
            return one[i] - other[i];
        }
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
        STAYS_A_LOOP();
    }
    return length;
}

#endif
