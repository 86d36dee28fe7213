/* board_arduino.cpp - any board of an Arduino core: the console is `Serial`. */
#include "board.h"

#if defined(ARDUINO)

#include <Arduino.h>

extern "C" void board_init(void)
{
    Serial.begin(115200);
    while (!Serial) { /* boards with native USB: wait for the host to open the port */
    }
}

extern "C" int board_read(void)
{
    while (Serial.available() == 0) {
    }
    return Serial.read();
}

extern "C" void board_write(const void *bytes, size_t count)
{
    Serial.write(static_cast<const uint8_t *>(bytes), count);
}

/* Not every Arduino core says how fast the processor is; PlatformIO does (platformio.ini). */
#if !defined(F_CPU) && BS4NN_CLOCK + 0 > 0
#define F_CPU BS4NN_CLOCK
#endif

/* The processor's clock: by its cycle counter where the core has one, else by the core's microseconds. Without either,
 * it stands still. */
static uint32_t clock_now(void)
{
#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__)
    volatile uint32_t *const debug = reinterpret_cast<volatile uint32_t *>(0xE000EDFCu);
    volatile uint32_t *const trace = reinterpret_cast<volatile uint32_t *>(0xE0001000u);
    if ((trace[0] & 1u) == 0u) {
        *debug |= 1u << 24;           /* DEMCR: switch the trace unit on */
        trace[0xFB0 / 4] = 0xC5ACCE55u; /* unlock it, where it is locked (M7) */
        trace[0] |= 1u;               /* DWT_CTRL: count cycles */
    }
    return trace[1];
#elif defined(F_CPU)
    return static_cast<uint32_t>(micros()) * static_cast<uint32_t>(F_CPU / 1000000L);
#else
    return 0;
#endif
}

extern "C" uint32_t board_lap(void)
{
    static uint32_t before;
    const uint32_t now = clock_now();
    const uint32_t ticks = now - before;
    before = now;
    return ticks;
}

extern "C" int board_stack_is_whole(void)
{
    return 1; /* every core keeps its stack elsewhere */
}

extern "C" void board_exit(int status)
{
    (void)status;
    Serial.flush();
    for (;;) { /* until the reset button */
    }
}

#endif
