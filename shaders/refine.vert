#version 330
// The whole target. With COLUMN: the mean of a texture that is one column, the same for every pixel.
#ifdef COLUMN
uniform sampler2D column;
flat out float mean;
#endif

void main() {
    gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0, 0.0, 1.0);
#ifdef COLUMN
    int rows = textureSize(column, 0).y;
    mean = 0.0;
    for (int y = 0; y < rows; ++y)
        mean += texelFetch(column, ivec2(0, y), 0).x;
    mean /= float(rows);
#endif
}
