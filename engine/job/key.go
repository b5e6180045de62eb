package job

// KeyFileBytesMax is far above the size of any key file.
const KeyFileBytesMax = 1 << 20
