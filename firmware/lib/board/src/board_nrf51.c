/* board_nrf51.c - Nordic nRF51 (the BBC micro:bit): the console is its UART. */
#include "board.h"

#if defined(BOARD_PORT_NRF51)

#define UART_REGISTER(offset) (*(volatile uint32_t *)(BOARD_CONSOLE_BASE + (offset)))
#define TASK_START_RX UART_REGISTER(0x000u)
#define TASK_START_TX UART_REGISTER(0x008u)
#define EVENT_RX_READY UART_REGISTER(0x108u)
#define EVENT_TX_READY UART_REGISTER(0x11Cu)
#define ENABLE UART_REGISTER(0x500u)
#define PIN_TX UART_REGISTER(0x50Cu)
#define PIN_RX UART_REGISTER(0x514u)
#define RX_DATA UART_REGISTER(0x518u)
#define TX_DATA UART_REGISTER(0x51Cu)
#define BAUD_RATE UART_REGISTER(0x524u)

#define ENABLE_UART 4u
#define BAUD_1_000_000 0x10000000u
#define MICROBIT_TX 24u
#define MICROBIT_RX 25u

void board_init(void)
{
    PIN_TX = MICROBIT_TX;
    PIN_RX = MICROBIT_RX;
    BAUD_RATE = BAUD_1_000_000;
    ENABLE = ENABLE_UART;
    TASK_START_TX = 1u;
    TASK_START_RX = 1u;
}

int board_read(void)
{
    while (EVENT_RX_READY == 0u) {
    }
    EVENT_RX_READY = 0u;
    return (int)(RX_DATA & 0xFFu);
}

void board_write(const void *bytes, size_t count)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < count; i++) {
        EVENT_TX_READY = 0u;
        TX_DATA = byte[i];
        while (EVENT_TX_READY == 0u) {
        }
    }
}

#endif
