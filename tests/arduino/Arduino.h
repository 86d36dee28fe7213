/*
 * Arduino.h - a stand-in for an Arduino core, with what board_arduino.cpp uses: for compiling only, never shipped.
 * Like the cores that are built on mbed, it does not define F_CPU.
 */
#ifndef BS4NN_TESTS_ARDUINO_H
#define BS4NN_TESTS_ARDUINO_H

#include <stddef.h>
#include <stdint.h>

unsigned long micros(void);
void delay(unsigned long milliseconds);

class Console {
public:
    void begin(unsigned long baud);
    int available();
    int read();
    size_t write(const uint8_t *bytes, size_t count);
    void flush();
    size_t print(const char *text);
    size_t print(int number);
    size_t println(const char *text);
    size_t println(int number);
    operator bool() const;
};

extern Console Serial;

#endif
