/* board_cmsdk.c - Arm's MPS2 boards: the console is a CMSDK APB UART. */
#include "board.h"

#if defined(BOARD_PORT_CMSDK)

typedef struct {
    volatile uint32_t data;
    volatile uint32_t state;
    volatile uint32_t control;
    volatile uint32_t interrupt;
    volatile uint32_t baud_divider;
} uart_t;

#define UART ((uart_t *)BOARD_CONSOLE_BASE)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CONTROL_TX_ENABLE 1u
#define CONTROL_RX_ENABLE 2u
#define BAUD_DIVIDER_MIN 16u /* the fastest the UART takes */

void board_init(void)
{
    UART->baud_divider = BAUD_DIVIDER_MIN;
    UART->control = CONTROL_TX_ENABLE | CONTROL_RX_ENABLE;
}

int board_read(void)
{
    while ((UART->state & STATE_RX_FULL) == 0u) {
    }
    return (int)(UART->data & 0xFFu);
}

void board_write(const void *bytes, size_t count)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < count; i++) {
        while ((UART->state & STATE_TX_FULL) != 0u) {
        }
        UART->data = byte[i];
    }
}

#endif
