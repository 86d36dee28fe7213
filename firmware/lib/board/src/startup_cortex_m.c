/* startup_cortex_m.c - reset, faults and the way out of a bare, emulated Cortex-M. */
#include "board.h"

#if defined(BOARD_PORT_CMSDK) || defined(BOARD_PORT_NRF51)

/* Laid out by board.ld. */
extern uint32_t board_stack_top[];
extern uint32_t board_data_load[];
extern uint32_t board_data_start[];
extern uint32_t board_data_end[];
extern uint32_t board_bss_start[];
extern uint32_t board_bss_end[];

int main(void);
void Reset_Handler(void);

#define SEMIHOSTING_WRITE_TEXT 0x04u
#define SEMIHOSTING_EXIT_EXTENDED 0x20u
#define STOPPED_BY_APPLICATION 0x20026u

/* Ask the emulator (or a debugger) for a service. */
static void semihosting(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void board_exit(int status)
{
    const uint32_t reason[2] = {STOPPED_BY_APPLICATION, (uint32_t)status};
    semihosting(SEMIHOSTING_EXIT_EXTENDED, reason);
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
    board_exit(main());
}

/* Any exception is a fault here: nothing enables interrupts. */
static void fault(void)
{
    semihosting(SEMIHOSTING_WRITE_TEXT, "board: the processor took a fault\n");
    board_exit(70);
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
