// Skin: a texture's relief around a chosen tone, lips, stubble, and a cap of hair colour on the scalp.
uniform sampler2D diffuse;
uniform vec3 mean;       // the texture's own skin tone, linear
uniform vec3 tone;       // wanted skin tone, linear
uniform float contrast;  // how much of the texture's variation is kept
uniform vec3 hair;       // linear
uniform vec2 cap;        // hairline offset in metres, strength of the hair colour
uniform vec2 stubble;    // strength, density
uniform vec3 lips;       // colour factor
uniform float shine;
uniform vec3 seed;
void main() {
    vec3 t = texture(diffuse, uv).rgb;
    t = t * t * (0.3 * t + 0.7);
    vec3 albedo = tone * pow(clamp(t / mean, 0.08, 3.0), vec3(contrast));
    albedo *= 0.88 + 0.24 * noise(rest * 35.0 + seed);
    float mouth = exp(-pow(pow(rest.x / 0.025, 2.0) + pow((rest.y - 0.662) / 0.0095, 2.0), 2.0));
    albedo *= mix(vec3(1.0), lips, mouth * step(0.13, rest.z));
    float edge = (rest.y - 0.795) - 0.94 * (rest.z - 0.144) + cap.x;
    edge += 0.010 * (noise4(rest * 160.0 + seed).g - 0.5);
    float strand = 0.65 + 0.7 * noise(rest * vec3(900.0, 220.0, 900.0));
    float scalp = cap.y * smoothstep(-0.004, 0.010, edge) * (1.0 - aux.y);
    albedo = mix(albedo, hair * strand, scalp);
    float beard = stubble.x * aux.x * smoothstep(1.0 - stubble.y, 1.15 - stubble.y, noise(rest * 700.0 + seed));
    albedo = mix(albedo, hair * strand, clamp(beard, 0.0, 1.0));
    vec3 n = normal + 0.08 * (noise4(rest * 600.0).rgb - 0.5);
    put(albedo, shine * (1.0 - 0.8 * max(scalp, beard)) + 0.15 * mouth, n, label, 1.0);
}
