"""Tests of the calls of a reward function: scores, missing scores and failures."""

import unittest

import numpy as np

from stepwise_rewards import Reward, torch_gradient

IMAGES = np.arange(5 * 2 * 3 * 3, dtype=np.uint8).reshape(5, 2, 3, 3)
PIXELS = (IMAGES / 255).astype(np.float32)
PROMPTS = [f"prompt {index}" for index in range(5)]


def brightness(images, prompts):
    return images.mean(axis=(1, 2, 3)) / 255


class Scores(unittest.TestCase):
    def setUp(self):
        import logging

        logging.getLogger("stepwise_rewards").setLevel(logging.CRITICAL)

    def test_batches_are_returned_in_order(self):
        sizes = []

        def counting(images, prompts):
            sizes.append(len(prompts))
            return brightness(images, prompts)

        result = Reward("brightness", counting, batch_size=2).scores(IMAGES, PROMPTS)
        self.assertEqual(sizes, [2, 2, 1])
        self.assertEqual(result.error, "")
        np.testing.assert_allclose(result.scores, brightness(IMAGES, PROMPTS), rtol=1e-6)

    def test_none_and_values_that_are_not_finite_are_missing_with_the_name_of_the_reward(self):
        scores = [1, None, float("nan"), float("inf"), 2]
        result = Reward("taste", lambda images, prompts: scores).scores(IMAGES, PROMPTS)
        self.assertEqual(result.scores, [1, None, None, None, 2])
        self.assertEqual(result.error, "taste: expected finite numbers, found others for image 1, 2, 3")

    def test_a_wrong_number_of_scores_makes_all_scores_missing(self):
        for count in (0, 4, 6):
            result = Reward("taste", lambda images, prompts: [1.0] * count).scores(IMAGES, PROMPTS)
            self.assertEqual(result.scores, [None] * 5)
            self.assertIn(f"taste: ValueError: expected 5 scores, found an array of shape ({count},)", result.error)

    def test_a_missing_return_value_and_an_exception_make_all_scores_missing(self):
        def broken(images, prompts):
            raise RuntimeError("out of memory")

        self.assertEqual(Reward("taste", broken).scores(IMAGES, PROMPTS).error, "taste: RuntimeError: out of memory")
        nothing = Reward("taste", lambda images, prompts: None).scores(IMAGES, PROMPTS)
        self.assertEqual(nothing.scores, [None] * 5)
        self.assertIn("taste", nothing.error)

    def test_gradients_are_returned_and_a_gradient_that_is_not_finite_makes_its_score_missing(self):
        def gradient(pixels, prompts):
            slopes = 2 * pixels
            slopes[1] = np.nan
            return (pixels**2).sum(axis=(1, 2, 3)), slopes

        result = Reward("square", brightness, gradient=gradient).scores_and_gradient(PIXELS, PROMPTS)
        self.assertIsNone(result.scores[1])
        self.assertTrue((result.gradient[1] == 0).all())
        np.testing.assert_allclose(result.gradient[2], 2 * PIXELS[2])
        self.assertIn("image 1", result.error)

    def test_a_gradient_of_another_shape_and_a_missing_gradient_are_errors(self):
        wrong = Reward("square", brightness, gradient=lambda pixels, prompts: (brightness(pixels, prompts), pixels[0]))
        self.assertIn("expected a gradient of shape (5, 2, 3, 3)", wrong.scores_and_gradient(PIXELS, PROMPTS).error)
        none = Reward("square", brightness).scores_and_gradient(PIXELS, PROMPTS)
        self.assertEqual(none.error, "the reward square has no gradient")
        self.assertEqual(none.scores, [None] * 5)

    def test_invalid_arguments_are_refused(self):
        for arguments in ({"name": ""}, {"name": "a", "batch_size": 0}):
            with self.assertRaises(ValueError):
                Reward(function=brightness, **arguments)

    def test_torch_gradient_differentiates_a_function(self):
        try:
            import torch
        except ImportError:
            self.skipTest("torch is not installed")

        def score(pixels, prompts):
            return (pixels**2).mean(dim=(1, 2, 3)) * torch.arange(1, len(prompts) + 1)

        result = Reward("square", brightness, gradient=torch_gradient(score)).scores_and_gradient(PIXELS, PROMPTS)
        weights = np.arange(1, 6).reshape(5, 1, 1, 1)
        np.testing.assert_allclose(result.gradient, 2 * PIXELS / PIXELS[0].size * weights, rtol=1e-6)
        np.testing.assert_allclose(result.scores, (PIXELS**2).mean(axis=(1, 2, 3)) * weights.ravel(), rtol=1e-6)


if __name__ == "__main__":
    unittest.main()
