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

extern "C" uint32_t board_lap(void)
{
    return 0; /* not every core has a cycle counter */
}

extern "C" void board_exit(int status)
{
    (void)status;
    Serial.flush();
    for (;;) { /* until the reset button */
    }
}

#endif
