/* core.cpp - a stand-in for what an Arduino core links: it only has to be there. */
#include <Arduino.h>

extern "C" void setup(void);
extern "C" void loop(void);

Console Serial;

unsigned long micros(void) { return 0; }
void delay(unsigned long) {}
void Console::begin(unsigned long) {}
int Console::available() { return 0; }
int Console::read() { return -1; }
size_t Console::write(const uint8_t *, size_t count) { return count; }
void Console::flush() {}
Console::operator bool() const { return true; }

int main(void)
{
    setup();
    for (;;) {
        loop();
    }
}
