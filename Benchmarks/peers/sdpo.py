#!/usr/bin/env python3
"""Epochs of SDPO (arXiv 2411.11727) in plain PyTorch and diffusers on a model folder: pairs of trajectories from one
initial noise, three decoded clean states per trajectory, one optimizer step per minibatch and denoising step. The
reward is the mean brightness, which costs almost no time."""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from peft import LoraConfig

import measure

parser = measure.parser(__doc__, pairs=16, batch=8, train_batch=4, steps=4, epochs=2, tokens=12, rank=4)
parser.add_argument("--model", required=True)
options = parser.parse_args()
measure.start(options)

unet = UNet2DConditionModel.from_pretrained(options.model, subfolder="unet").requires_grad_(False)
vae = AutoencoderKL.from_pretrained(options.model, subfolder="vae").requires_grad_(False).eval()
scheduler = DDIMScheduler.from_pretrained(options.model, subfolder="scheduler")
scheduler.set_timesteps(options.steps)
unet.add_adapter(LoraConfig(r=options.rank, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
weights = [parameter for parameter in unet.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(weights, lr=1e-4, weight_decay=1e-4)
predicts_velocity = scheduler.config.prediction_type == "v_prediction"
stride = scheduler.config.num_train_timesteps // options.steps


def alphas(timesteps):
    return scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)


def policy(x, timesteps, text):
    """Mean and standard deviation of the next state under DDIM with eta 1, and the predicted clean state."""
    output = unet(x, timesteps, text).sample
    now, after = alphas(timesteps), alphas((timesteps - stride).clamp(min=0))
    if predicts_velocity:
        clean, noise = now.sqrt() * x - (1 - now).sqrt() * output, now.sqrt() * output + (1 - now).sqrt() * x
    else:
        clean, noise = (x - (1 - now).sqrt() * output) / now.sqrt(), output
    sigma = ((1 - after) / (1 - now) * (1 - now / after)).sqrt()
    return after.sqrt() * clean + (1 - after - sigma**2).clamp(min=0).sqrt() * noise, sigma, clean


def log_probability(x, mean, sigma):
    return torch.distributions.Normal(mean, sigma).log_prob(x).flatten(1).mean(1)


def dense_rewards(clean):
    """Dense rewards of all steps, from the scores of the first, the least similar and the last clean state."""
    unit = F.normalize(clean.flatten(2), dim=2)
    rows = torch.arange(len(clean))
    first, last = (unit * unit[:, :1]).sum(2), (unit * unit[:, -1:]).sum(2)
    anchor = (first + last).argmin(1)
    middle = (unit * unit[rows, anchor].unsqueeze(1)).sum(2)
    scored = [clean[:, 0], clean[rows, anchor], clean[:, -1]]
    scores = [vae.decode(x / vae.config.scaling_factor).sample.mean((1, 2, 3)).unsqueeze(1) for x in scored]
    return (scores[0] * first + scores[1] * middle + scores[2] * last) / (first + middle + last)


@torch.no_grad()
def sample(noise, text):
    states, cleans, densities = [noise], [], []
    for timestep in scheduler.timesteps:
        mean, sigma, clean = policy(states[-1], timestep.repeat(len(noise)), text)
        states.append(mean + sigma * torch.randn_like(mean))
        cleans.append(clean)
        densities.append(log_probability(states[-1], mean, sigma))
    return torch.stack(states, 1), torch.stack(densities, 1), dense_rewards(torch.stack(cleans, 1))


def sample_epoch():
    unet.eval()
    side, channels = unet.config.sample_size, unet.config.in_channels
    epoch = []
    for _ in range(options.pairs // options.batch):
        text = torch.randn(options.batch, options.tokens, unet.config.cross_attention_dim)
        noise = torch.randn(options.batch, channels, side, side)
        epoch.append((text, sample(noise, text), sample(noise, text)))
    return epoch


def train_step(text, pair, rows, step):
    timesteps = scheduler.timesteps[step].repeat(options.train_batch)
    ratios = []
    for states, densities, _ in pair:
        mean, sigma, _ = policy(states[rows, step], timesteps, text[rows])
        ratios.append(log_probability(states[rows, step + 1], mean, sigma) - densities[rows, step])
    gap = pair[0][2][rows, step] - pair[1][2][rows, step]
    clipped = [ratio.clamp(-1e-4, 1e-4) for ratio in ratios]
    loss = torch.maximum((ratios[0] - ratios[1] - gap) ** 2, (clipped[0] - clipped[1] - gap) ** 2).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()
    optimizer.zero_grad()


def train_epoch(epoch):
    unet.train()
    for step in torch.randperm(options.steps).tolist():
        for text, *pair in epoch:
            for first in range(0, options.batch, options.train_batch):
                train_step(text, pair, slice(first, first + options.train_batch), step)


sampling, training, processor, made = [], [], [0.0, 0.0], []
for number in range(options.epochs + 1):
    sampled = measure.both_seconds(lambda: made.append(sample_epoch()))
    trained = measure.both_seconds(lambda: train_epoch(made.pop()))
    if number > 0:  # the first epoch is the warm-up
        sampling.append(sampled[0])
        training.append(trained[0])
        processor = [processor[0] + sampled[1], processor[1] + trained[1]]
keys = ("pairs", "batch", "train_batch", "steps", "epochs", "threads", "tokens", "rank")
facts = {key: getattr(options, key) for key in keys}
measure.report(
    folder=options.model,
    **facts,
    pairs_sampled_per_second=round(options.pairs * options.epochs / sum(sampling), 3),
    pair_steps_trained_per_second=round(options.pairs * options.steps * options.epochs / sum(training), 3),
    seconds_per_epoch=round((sum(sampling) + sum(training)) / options.epochs, 3),
    cpu_seconds_sampling=round(processor[0] / options.epochs, 4),
    cpu_seconds_training=round(processor[1] / options.epochs, 4),
    seconds_sampling=[round(value, 4) for value in sampling],
    seconds_training=[round(value, 4) for value in training],
)
