/*
 * board_semihosting.c - any bare Cortex-M under an emulator or a debugger: start-up, and a console
 * by semihosting (":tt", which QEMU connects to its own standard input and output).
 *
 * Why not the machine's UART: semihosting is the same on every machine, and QEMU hands a UART one
 * byte at a time, 50 microseconds each, where semihosting takes as many as there are.
 */
#include "board.h"

#if defined(BOARD_PORT_SEMIHOSTING)

#define SYS_OPEN 0x01u
#define SYS_WRITE0 0x04u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_EXIT_EXTENDED 0x20u
#define OPEN_FOR_READING 0u
#define OPEN_FOR_WRITING 4u
#define STOPPED_BY_APPLICATION 0x20026u
#define STATUS_FAULT 70
/* Lies at the stack's end, untouched while the stack has room. */
#define GUARD_WORDS 16
#define GUARD 0x5AFE57ACu

/* Laid out by board.ld. */
extern uint32_t board_stack_end[]; /* it grows from the top down to here */
extern uint32_t board_stack_top[];
extern uint32_t board_data_load[];
extern uint32_t board_data_start[];
extern uint32_t board_data_end[];
extern uint32_t board_bss_start[];
extern uint32_t board_bss_end[];

int main(void);
void Reset_Handler(void);

static struct {
    uint32_t input;  /* handle of the console for reading */
    uint32_t output; /* handle of the console for writing */
    uint8_t bytes[256];
    uint32_t count; /* bytes that have been read */
    uint32_t next;  /* the first that has not been handed over */
} console;

/* Ask the emulator (or a debugger) for a service. */
static uint32_t semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* SysTick: every Cortex-M has it; it counts down at the processor's clock and wraps at 24 bits. */
#define SYSTICK ((volatile uint32_t *)0xE000E010u)
#define SYSTICK_CONTROL 0
#define SYSTICK_RELOAD 1
#define SYSTICK_CURRENT 2
#define SYSTICK_ENABLE_AT_PROCESSOR_CLOCK 5u
#define SYSTICK_RAN_OVER 0x10000u
#define SYSTICK_MAX 0xFFFFFFu

static uint32_t open_console(uint32_t mode)
{
    static const char name[] = ":tt";
    const uint32_t argument[3] = {(uint32_t)name, mode, sizeof name - 1u};
    return semihosting(SYS_OPEN, argument);
}

void board_init(void)
{
    console.input = open_console(OPEN_FOR_READING);
    console.output = open_console(OPEN_FOR_WRITING);
    SYSTICK[SYSTICK_RELOAD] = SYSTICK_MAX;
    SYSTICK[SYSTICK_CURRENT] = 0;
    SYSTICK[SYSTICK_CONTROL] = SYSTICK_ENABLE_AT_PROCESSOR_CLOCK;
}

uint32_t board_lap(void)
{
    uint32_t ticks = SYSTICK_MAX - SYSTICK[SYSTICK_CURRENT];
    uint32_t ran_over = SYSTICK[SYSTICK_CONTROL] & SYSTICK_RAN_OVER;
    SYSTICK[SYSTICK_CURRENT] = 0; /* starts anew from the top, and forgets that it ran over */
    return ran_over != 0u ? BOARD_LAP_TOO_LONG : ticks;
}

int board_read(void)
{
    if (console.next == console.count) {
        const uint32_t argument[3] = {console.input, (uint32_t)console.bytes, sizeof console.bytes};
        uint32_t missing = semihosting(SYS_READ, argument); /* waits until there is something */
        if (missing >= sizeof console.bytes) {
            return -1;
        }
        console.count = sizeof console.bytes - missing;
        console.next = 0;
    }
    return console.bytes[console.next++];
}

void board_write(const void *bytes, size_t count)
{
    const uint32_t argument[3] = {console.output, (uint32_t)bytes, count};
    (void)semihosting(SYS_WRITE, argument);
}

int board_stack_is_whole(void)
{
    for (int i = 0; i < GUARD_WORDS; i++) {
        if (board_stack_end[i] != GUARD) {
            return 0;
        }
    }
    return 1;
}

void board_exit(int status)
{
    const uint32_t reason[2] = {STOPPED_BY_APPLICATION, (uint32_t)status};
    (void)semihosting(SYS_EXIT_EXTENDED, reason);
    for (;;) {
    }
}

void Reset_Handler(void)
{
    const uint32_t *from = board_data_load;
    for (uint32_t *to = board_data_start; to < board_data_end; to++) {
        *to = *from++;
    }
    for (uint32_t *to = board_bss_start; to < board_bss_end; to++) {
        *to = 0;
    }
    for (int i = 0; i < GUARD_WORDS; i++) {
        board_stack_end[i] = GUARD;
    }
    board_exit(main());
}

/* Any exception is a fault here: nothing enables interrupts. */
static void fault(void)
{
    (void)semihosting(SYS_WRITE0, "board: the processor took a fault\n");
    board_exit(STATUS_FAULT);
}

typedef void (*handler_t)(void);

/* First word: the stack; second: where to start; then 14 system exceptions. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack_top;
    handler_t handlers[15];
} board_vectors = {
    board_stack_top,
    {Reset_Handler, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault},
};

#endif
