/*
 * board_linux.c - a board for QEMU's user mode, which runs processors and byte orders that none of its boards has: a program
 * for Linux on Arm without a C library, in Thumb.
 */
#include "board.h"

#define SYS_EXIT 1u
#define SYS_WRITE 4u

int main(void);
void board_start(void);
uint32_t board_call(uint32_t first, const void *second, uint32_t third, uint32_t number);

__asm__(".syntax unified\n"
        ".thumb\n"
        ".global board_call\n"
        ".thumb_func\n"
        "board_call:\n"
        "    push {r7, lr}\n"
        "    movs r7, r3\n"
        "    svc 0\n"
        "    pop {r7, pc}\n");

void board_init(void)
{
}

void board_write(const void *bytes, size_t count)
{
    (void)board_call(1u, bytes, count, SYS_WRITE);
}

void board_exit(int status)
{
    (void)board_call((uint32_t)status, NULL, 0u, SYS_EXIT);
    for (;;) {
    }
}

void board_start(void)
{
    board_exit(main());
}

/* Of the compiler's library, which not every compiler has for every byte order. */
unsigned __aeabi_uidiv(unsigned dividend, unsigned divisor);
uint64_t __aeabi_uidivmod(unsigned dividend, unsigned divisor);

unsigned __aeabi_uidiv(unsigned dividend, unsigned divisor)
{
    unsigned quotient = 0;
    for (; dividend >= divisor; dividend -= divisor) { /* small numbers only */
        quotient++;
    }
    return quotient;
}

/* The quotient in r0, the rest in r1. */
uint64_t __aeabi_uidivmod(unsigned dividend, unsigned divisor)
{
    unsigned quotient = __aeabi_uidiv(dividend, divisor);
    unsigned rest = dividend - quotient * divisor;
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? (uint64_t)quotient << 32 | rest : (uint64_t)rest << 32 | quotient;
}
