module github.com/cipherfold/cipherfold/kernels/umulh/_asm

go 1.26.0
