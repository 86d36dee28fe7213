/*
 * board.h - what the application asks of a board: a byte console and a way to stop.
 *
 * One port file implements it: the host (stdin and stdout), emulated boards (semihosting), or
 * Arduino's core (Serial). The application and the kernel know nothing else about a board.
 */
#ifndef BS4NN_BOARD_H
#define BS4NN_BOARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Make the console ready. Call once, before anything else. */
void board_init(void);

/* The next byte from the console, 0 .. 255. Waits for it; negative at the end of the input. */
int board_read(void);

/* Send `count` bytes to the console. Returns when all are handed over. */
void board_write(const void *bytes, size_t count);

/*
 * Ticks of the processor's clock since the last call (the first call only starts the count);
 * BOARD_LAP_TOO_LONG if the counter has run over, always 0 on a board without a counter. Under QEMU with
 * -icount a tick stands for a number of executed instructions.
 */
#define BOARD_LAP_TOO_LONG UINT32_MAX
uint32_t board_lap(void);

/*
 * 0 once the stack has grown over its end into other data, so that no answer can be believed; 1 before, and always where
 * the port does not know where its stack ends.
 */
int board_stack_is_whole(void);

/*
 * Stop with an exit status, 0 for success: ends the program on the host and the emulation on an
 * emulated board; a real board stays still until it is reset. Does not return.
 */
void board_exit(int status);

#ifdef __cplusplus
}
#endif

#endif /* BS4NN_BOARD_H */
