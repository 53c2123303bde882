//! Times the crate quantette inside one process: RGB pixels in, palette and indices out.
//!
//! quantette-rival WIDTH HEIGHT K METHOD RUNS < PIXELS
//!
//! METHOD is wu-srgb, wu-oklab, kmeans-oklab, or one of the last two with -dithered behind it; PIXELS are raw bytes, three a pixel. Standard output gets one line of
//! JSON, {"seconds": [one for each run], "colors": N}, then N * 3 bytes of palette, then a byte of index for each pixel.
//! The number of threads is that of rayon: RAYON_NUM_THREADS. Dithering is the crate's Floyd-Steinberg as it comes.

use quantette::{
    ImageRef, PaletteSize, Pipeline, QuantizeMethod,
    color_map::IndexedColorMap,
    deps::palette::{Srgb, cast},
    dither::FloydSteinberg,
    wu::{BinnerU8x3, WuU8x3},
};
use std::{
    env,
    error::Error,
    io::{self, Read, Write},
    mem,
    time::Instant,
};

type Quantized = (Vec<Srgb<u8>>, Vec<u8>);

/// The pipeline of the crate knows Oklab only; in sRGB its parts are put together by hand.
fn wu_srgb(image: ImageRef<'_, Srgb<u8>>, k: PaletteSize) -> Result<Quantized, Box<dyn Error>> {
    let wu = WuU8x3::run_image_par(image, BinnerU8x3::rgb()).ok_or("the picture has no pixels")?;
    let map = wu.parallel_color_map(k);
    let indices = map.map_to_indices(image.as_slice());
    Ok((map.into_palette().into_vec(), indices))
}

fn oklab(image: ImageRef<'_, Srgb<u8>>, k: PaletteSize, method: QuantizeMethod, dither: bool) -> Quantized {
    Pipeline::new()
        .palette_size(k)
        .quantize_method(method)
        .ditherer(dither.then(FloydSteinberg::new))
        .parallel(true)
        .input_image(image)
        .output_srgb8_indexed_image()
        .into_parts()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [width, height, k, method, runs] = arguments.as_slice() else {
        return Err("usage: quantette-rival WIDTH HEIGHT K METHOD RUNS < PIXELS".into());
    };
    let k = PaletteSize::try_from(k.parse::<u16>()?)?;
    let runs: usize = runs.parse()?;
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let pixels: &[Srgb<u8>] = cast::try_from_component_slice(&bytes).map_err(|_| "a pixel has three bytes")?;
    let image =
        ImageRef::new(width.parse()?, height.parse()?, pixels).map_err(|_| "there are not WIDTH * HEIGHT pixels")?;

    let mut seconds = Vec::with_capacity(runs);
    let mut quantized: Quantized = (Vec::new(), Vec::new());
    for _ in 0..runs {
        drop(mem::take(&mut quantized)); // outside the time, and its memory can be used again
        let start = Instant::now();
        quantized = match method.as_str() {
            "wu-srgb" => wu_srgb(image, k)?,
            "wu-oklab" => oklab(image, k, QuantizeMethod::Wu, false),
            "wu-oklab-dithered" => oklab(image, k, QuantizeMethod::Wu, true),
            "kmeans-oklab" => oklab(image, k, QuantizeMethod::kmeans(), false),
            "kmeans-oklab-dithered" => oklab(image, k, QuantizeMethod::kmeans(), true),
            _ => return Err(format!("METHOD is {method}; the first lines of this program name those there are").into()),
        };
        seconds.push(start.elapsed().as_secs_f64());
    }

    let (palette, indices) = quantized;
    let mut out = io::stdout().lock();
    writeln!(out, r#"{{"seconds": {seconds:?}, "colors": {}}}"#, palette.len())?;
    out.write_all(cast::into_component_slice(&palette))?;
    out.write_all(&indices)?;
    Ok(())
}
